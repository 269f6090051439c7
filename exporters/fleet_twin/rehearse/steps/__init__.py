"""What is rehearsed, a module for each subject; each lists its steps as STEPS."""
