#include "daemon/grpc/error_details.h"

#include "varve/v1/error_details.pb.h"

namespace varve {
namespace {

constexpr char kDomain[] = "varve.v1";

void Add(const char* type_url, const google::protobuf::Message& detail, v1::ErrorStatus* status) {
  google::protobuf::Any* const any = status->add_details();
  any->set_type_url(type_url);
  detail.SerializeToString(any->mutable_value());
}

void AddMissing(const DoorError& error, v1::ErrorStatus* status) {
  v1::ErrorInfo info;
  info.set_reason(std::string(error.oci_code));
  info.set_domain(kDomain);
  (*info.mutable_metadata())["digest"] = error.missing_digest;
  Add("type.googleapis.com/google.rpc.ErrorInfo", info, status);
  v1::ResourceInfo resource;
  resource.set_resource_type("blob");
  resource.set_resource_name(error.missing_digest);
  resource.set_description("upload it, then put the manifest again");
  Add("type.googleapis.com/google.rpc.ResourceInfo", resource, status);
}

}  // namespace

std::string EncodeErrorDetails(const DoorError& error, const std::string& message) {
  if (error.missing_digest.empty() && error.retry_after_seconds <= 0) return {};
  v1::ErrorStatus status;
  if (!error.missing_digest.empty()) AddMissing(error, &status);
  if (error.retry_after_seconds > 0) {
    v1::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(error.retry_after_seconds);
    Add("type.googleapis.com/google.rpc.RetryInfo", retry, &status);
  }
  status.set_code(error.grpc_code);
  status.set_message(message);
  return status.SerializeAsString();
}

}  // namespace varve
