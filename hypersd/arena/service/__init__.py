"""Services for voters: battles, the pool of pairs, matchmaking, rate limits, studies, simulation."""
