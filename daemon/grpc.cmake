# The native door. Protocol rules without gRPC are apart from the files that include grpcpp, which
# are few because each costs seconds to compile.
add_library(varve_grpc STATIC
  grpc/blob_messages.cc
  grpc/blob_streams.cc
  grpc/blob_upload.cc
  grpc/blobs_service.cc
  grpc/call_handler.cc
  grpc/call_record.cc
  grpc/check_stream.cc
  grpc/claims_service.cc
  grpc/error_details.cc
  grpc/event_feed.cc
  grpc/event_stream.cc
  grpc/images_service.cc
  grpc/message_memory.cc
  grpc/prune_stream.cc
  grpc/referrer_listing.cc
  grpc/server.cc
  grpc/stream_watch.cc
  grpc/system_service.cc
  grpc/unary.cc
  grpc/uploads_service.cc
  grpc/call_workers.cc)
target_link_libraries(varve_grpc
  PUBLIC varve_storage
  PRIVATE varve_warnings varve_messages varve_daemon_base varve_status_mapping varve_leased_call
          gRPC::grpc++ gRPC::grpc++_reflection absl::flat_hash_set absl::str_format
          Threads::Threads)
