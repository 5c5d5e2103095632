"""`ns-train tokengs-pretrain`: the training of a network over many scenes; one that is held out is shown meanwhile."""
