from made.scenes import small_network


def test_input_size_keeps_the_aspect_and_the_number_of_pixels() -> None:
    config = small_network(image_size=(64, 64)).config
    assert config.input_size(64, 64) == (64, 64)
    assert config.input_size(455, 256) == (88, 48)
    assert config.input_size(10, 4000) == (8, 1280)
