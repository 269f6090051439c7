"""What comes from elsewhere: verified downloads, vendors' releases, Debian's packages."""
