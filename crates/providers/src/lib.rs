//! Providers built in: stack references, random, command.
