// The calls of varve.v1.Images that are about images as people see them.
#include <utility>

#include "client/error_details.h"
#include "client/grpc_client.h"
#include "proto/convert/images.h"
#include "proto/convert/prunes.h"
#include "storage/api/pruning.h"
#include "storage/base/status.h"

namespace varve {
namespace {

// To the end of a prune, or until the observer has seen enough.
absl::StatusOr<PruneReport> ReadPrune(grpc::ClientContext& context,
                                      grpc::ClientReader<v1::PruneResponse>& stream,
                                      const PruneObserver& observer) {
  v1::PruneResponse message;
  std::optional<PruneReport> report;
  bool wanted = true;
  std::vector<std::string> untagged;  // of the image to come
  while (stream.Read(&message)) {
    if (message.part_case() == v1::PruneResponse::PART_NOT_SET && message.untagged_size() > 0) {
      untagged.insert(untagged.end(), message.untagged().begin(), message.untagged().end());
    } else if (message.has_report()) {
      report = FromMessage(message.report());
    } else if (wanted) {
      absl::StatusOr<PruneStep> step = FromMessage(message);
      if (!step.ok()) {
        context.TryCancel();
        return step.status();
      }
      step->untagged.insert(step->untagged.begin(), untagged.begin(), untagged.end());
      untagged.clear();
      wanted = observer == nullptr || observer(*step);
      if (!wanted) context.TryCancel();
    }
  }
  RETURN_IF_ERROR(FromGrpc(stream.Finish(), context));
  if (!report.has_value()) return absl::UnavailableError("the daemon ended without a report");
  return *report;
}

}  // namespace

absl::StatusOr<ImageMatch> GrpcClient::FindImage(std::string_view name) {
  v1::FindImageRequest request;
  request.set_name(std::string(name));
  v1::FindImageResponse response;
  RETURN_IF_ERROR(Unary(*images_, &v1::Images::Stub::Find, request, &response));
  return FromMessage(response);
}

absl::StatusOr<ImagePage> GrpcClient::ListImages(const ImageQuery& query,
                                                 const std::string& page_token, size_t limit) {
  v1::ListImagesRequest request;
  ToMessage(query, &request);
  request.set_page_token(page_token);
  request.set_page_size(static_cast<uint32_t>(limit));
  v1::ListImagesResponse response;
  RETURN_IF_ERROR(Unary(*images_, &v1::Images::Stub::List, request, &response));
  ImagePage page;
  for (const v1::Image& message : response.images()) {
    ASSIGN_OR_RETURN(ImageInfo image, FromMessage(message));
    page.images.push_back(std::move(image));
  }
  page.next_page_token = response.next_page_token();
  return page;
}

absl::StatusOr<ReferrerPage> GrpcClient::ListReferrers(std::string_view repository,
                                                       const Digest& subject,
                                                       std::string_view artifact_type,
                                                       const std::string& page_token,
                                                       size_t limit) {
  v1::ListReferrersRequest request;
  request.set_repository(std::string(repository));
  request.set_digest(subject.ToString());
  request.set_artifact_type(std::string(artifact_type));
  request.set_page_token(page_token);
  request.set_page_size(static_cast<uint32_t>(limit));
  v1::ListReferrersResponse response;
  RETURN_IF_ERROR(Unary(*images_, &v1::Images::Stub::ListReferrers, request, &response));
  ReferrerPage page;
  for (v1::ListReferrersResponse::Referrer& message : *response.mutable_referrers()) {
    Referrer& referrer = page.referrers.emplace_back();
    ASSIGN_OR_RETURN(referrer.info.manifest, FromMessage(message.manifest()));
    referrer.info.annotations_json = std::move(*message.mutable_annotations_json());
    referrer.tag = std::move(*message.mutable_tag());
  }
  page.next_page_token = response.next_page_token();
  return page;
}

absl::StatusOr<ImageDetails> GrpcClient::InspectImage(std::string_view repository,
                                                      const ManifestReference& reference,
                                                      std::string_view platform) {
  v1::InspectImageRequest request;
  request.set_repository(std::string(repository));
  SetReference(reference, &request);
  request.set_platform(std::string(platform));
  v1::InspectImageResponse response;
  RETURN_IF_ERROR(Unary(*images_, &v1::Images::Stub::Inspect, request, &response));
  return FromMessage(response.details());
}

absl::StatusOr<std::vector<HistoryEntry>> GrpcClient::ImageHistory(
    std::string_view repository, const ManifestReference& reference, std::string_view platform) {
  v1::ImageHistoryRequest request;
  request.set_repository(std::string(repository));
  SetReference(reference, &request);
  request.set_platform(std::string(platform));
  v1::ImageHistoryResponse response;
  RETURN_IF_ERROR(Unary(*images_, &v1::Images::Stub::History, request, &response));
  return FromMessage(response);
}

absl::Status GrpcClient::TagFrom(std::string_view from, const Digest& digest,
                                 std::string_view repository, std::string_view tag) {
  v1::TagRequest request;
  request.set_source_repository(std::string(from));
  request.set_repository(std::string(repository));
  request.set_tag(std::string(tag));
  request.set_digest(digest.ToString());
  v1::TagResponse response;
  return Unary(*images_, &v1::Images::Stub::Tag, request, &response);
}

absl::StatusOr<RemovedImage> GrpcClient::RemoveImage(std::string_view name, bool force, bool now) {
  v1::RemoveImageRequest request;
  request.set_name(std::string(name));
  request.set_force(force);
  request.set_now(now);
  v1::RemoveImageResponse response;
  RETURN_IF_ERROR(Unary(*images_, &v1::Images::Stub::Remove, request, &response));
  return FromMessage(response);
}

absl::StatusOr<PruneReport> GrpcClient::Prune(const PruneRequest& prune,
                                              const PruneObserver& observer) {
  // No deadline: it works as long as there is garbage, and shows that it does.
  grpc::ClientContext context;
  v1::PruneRequest request;
  ToMessage(prune, &request);
  const auto stream = images_->Prune(&context, request);
  return ReadPrune(context, *stream, observer);
}

absl::StatusOr<PruneReport> GrpcClient::AttachPrune(std::string_view id,
                                                    const PruneObserver& observer) {
  grpc::ClientContext context;
  v1::AttachPruneRequest request;
  request.set_job(std::string(id));
  const auto stream = images_->AttachPrune(&context, request);
  return ReadPrune(context, *stream, observer);
}

absl::StatusOr<std::string> GrpcClient::StartPrune(const PruneRequest& prune) {
  grpc::ClientContext context;
  SetDeadline(context);
  v1::PruneRequest request;
  ToMessage(prune, &request);
  request.set_detach(true);
  const auto stream = images_->Prune(&context, request);
  std::string job;
  for (v1::PruneResponse message; stream->Read(&message);) {
    if (!message.job().empty()) job = message.job();
  }
  RETURN_IF_ERROR(FromGrpc(stream->Finish(), context));
  if (job.empty()) return absl::UnavailableError("the daemon named no job");
  return job;
}

absl::Status GrpcClient::CancelPrune(std::string_view id) {
  v1::CancelPruneRequest request;
  request.set_job(std::string(id));
  v1::CancelPruneResponse response;
  return Unary(*images_, &v1::Images::Stub::CancelPrune, request, &response);
}

absl::StatusOr<std::vector<PruneJob>> GrpcClient::ListPrunes() {
  v1::ListPrunesResponse response;
  RETURN_IF_ERROR(
      Unary(*images_, &v1::Images::Stub::ListPrunes, v1::ListPrunesRequest(), &response));
  std::vector<PruneJob> jobs;
  for (const v1::PruneJob& message : response.jobs()) jobs.push_back(FromMessage(message));
  return jobs;
}

absl::StatusOr<KeeperReport> GrpcClient::ExplainKept(std::string_view name) {
  v1::ExplainRequest request;
  request.set_name(std::string(name));
  v1::ExplainResponse response;
  RETURN_IF_ERROR(Unary(*images_, &v1::Images::Stub::Explain, request, &response));
  return FromMessage(response);
}

}  // namespace varve
