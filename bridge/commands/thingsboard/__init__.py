"""What ThingsBoard needs to know of a site: profiles, alarm rules and dashboards to import."""
