"""The processes of one machine: started, watched, restarted."""
