varve_test(storage_deflate_tests LABEL unit TIMEOUT 300
  SOURCES
    deflate/encoder_test.cc
    deflate/encoding.cc
    deflate/huffman_code_test.cc
    deflate/identify_test.cc
    deflate/inflate_test.cc
    deflate/klauspost_encoder_test.cc
    deflate/klauspost_vectors_test.cc
    deflate/plain_inputs.cc
    deflate/size_estimate_test.cc
  LIBRARIES varve_deflate varve_image ZLIB::ZLIB)

# For tests/interop/deflate_producers.py.
add_executable(deflate_encode_stream EXCLUDE_FROM_ALL deflate/encode_stream.cc)
target_link_libraries(deflate_encode_stream PRIVATE varve_deflate varve_warnings)
