"""Servers and encoders as they stand now, looked at in the background, so that no page ever waits for one."""
