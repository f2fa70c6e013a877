"""What keeps it going: alarms and cleaning up."""
