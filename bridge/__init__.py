"""The gateway: port → line → schedule → reader → spool → uplink, one file a stage."""
