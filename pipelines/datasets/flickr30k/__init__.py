"""The data set Flickr30k Entities."""
