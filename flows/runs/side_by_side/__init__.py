"""Task runs at the same time: by the processes of a Dask cluster, for several securities or the fits of a backtest."""
