varve_test(storage_pack_tests LABEL unit
  SOURCES
    pack/chunker_test.cc
    pack/frame_test.cc
  LIBRARIES varve_pack PkgConfig::xxhash)
