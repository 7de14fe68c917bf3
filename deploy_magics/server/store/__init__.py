"""Where the service keeps things: tables in a database, zips and prices in a blob store."""
