"""Triton kernels: the names and signatures of their references. Import the module you need."""
