varve_test(storage_image_tests LABEL unit
  SOURCES
    image/canonical_name_test.cc
    image/digest_test.cc
    image/hasher_test.cc
    image/image_config_test.cc
    image/image_filter_test.cc
    image/manifest_test.cc
    image/names_test.cc
    image/platform_test.cc
    image/time_text_test.cc
  LIBRARIES varve_image)
