"""What a load needs: from measured costs to partitions, processes, brokers, disk and network."""
