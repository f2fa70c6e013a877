"""Operations: alarms, cleaning up, and the stack of servers and worker."""
