varve_test(storage_deflate_tests LABEL unit
  SOURCES
    deflate/encoder_test.cc
    deflate/identify_test.cc
    deflate/inflate_test.cc
  LIBRARIES varve_deflate varve_image ZLIB::ZLIB)

# For tests/interop/deflate_producers.py.
add_executable(deflate_encode_stream EXCLUDE_FROM_ALL deflate/encode_stream.cc)
target_link_libraries(deflate_encode_stream PRIVATE varve_deflate varve_warnings)
