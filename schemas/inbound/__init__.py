"""Records of peers and clients, in every wire era."""
