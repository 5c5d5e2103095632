"""One console script a module: thin command lines over `core` and `data`, without nerfstudio."""
