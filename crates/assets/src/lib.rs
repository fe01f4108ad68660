//! Hashes of assets and archives, and their contents.
