"""The azurefile volume driver: file shares and local folders as Docker volumes, with a fence."""
