"""The data sets RefCOCO, RefCOCO+ and RefCOCOg."""
