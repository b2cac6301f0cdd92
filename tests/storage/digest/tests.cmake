varve_test(digest_test LABEL unit
  SOURCES digest/digest_test.cc digest/hasher_test.cc
  LIBRARIES varve_storage)
