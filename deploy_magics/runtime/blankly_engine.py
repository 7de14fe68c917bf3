def install(events):
    return None
