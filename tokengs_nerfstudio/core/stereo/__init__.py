"""Where surfaces are, as posed photos show them together: depths of their pixels, and points in agreement."""
