varve_test(storage_tar_tests LABEL unit
  SOURCES
    tar/archive_builder.cc
    tar/pax_records_test.cc
    tar/random_archives_test.cc
    tar/tar_body_test.cc
    tar/tar_header_test.cc
    tar/tar_joiner_test.cc
    tar/tar_splitter_test.cc
    tar/written_archives_test.cc
  LIBRARIES varve_tar)
target_compile_definitions(storage_tar_tests
  PRIVATE VARVE_TAR_SEEDS="${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/tar_splitter_fuzzer")
