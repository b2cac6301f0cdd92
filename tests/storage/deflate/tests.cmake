varve_test(storage_deflate_tests LABEL unit TIMEOUT 300
  SOURCES
    deflate/encoding.cc
    deflate/huffman_code_test.cc
    deflate/klauspost_encoder_test.cc
    deflate/klauspost_vectors_test.cc
    deflate/plain_inputs.cc
    deflate/size_estimate_test.cc
  LIBRARIES varve_deflate varve_image ZLIB::ZLIB)
