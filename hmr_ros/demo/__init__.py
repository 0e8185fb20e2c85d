"""The run behind `hmr demo`: ``play`` starts the processes and keeps what comes back, the rest draws and reports it."""
