"""Arrays, threads and compiled loops; no meaning of topics in here."""
