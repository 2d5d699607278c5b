"""Why a batch is where it is: the rules behind `state.why`, by what the batch waits for."""
