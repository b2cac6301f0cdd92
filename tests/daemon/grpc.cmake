varve_test(grpc_door_test LABEL unit
  SOURCES
    event_feed_test.cc
    grpc_blobs_test.cc
    grpc_cancel_test.cc
    grpc_error_details_test.cc
    grpc_hostile_test.cc
    grpc_images_test.cc
    grpc_leases_test.cc
    grpc_server_test.cc
    grpc_system_test.cc
    message_memory_test.cc
    shared_walk_test.cc
  LIBRARIES varve_grpc varve_proto varve_storage gRPC::grpc++)
