"""The yardstick, started by benches/load.sh: what a request through the gateway costs, and what it costs elsewhere."""
