"""Any number of captures, each as `ns-train tokengs` does it: in processes of one machine or on a Ray cluster."""
