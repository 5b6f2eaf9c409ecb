//! Against the independent stack.
