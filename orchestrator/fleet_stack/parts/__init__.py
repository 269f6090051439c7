"""What a fleet is made of: the database, the model, third-party programs."""
