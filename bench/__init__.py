"""Speed, measured side by side with what one would use instead. `./bench/run` does all of it."""
