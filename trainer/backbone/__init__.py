"""YAMNet made deaf to rooms, noise, microphones and level: the network on whose answers the ear is built."""
