"""Where fetched prices and what people have accepted are kept: the state directory, another folder, or an S3 store."""
