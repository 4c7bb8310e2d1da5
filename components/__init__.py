"""Components of a data stack on Docker, one noun a file, and what they stand on: state, folders, bare SDKs."""
