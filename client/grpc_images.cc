// The calls of varve.v1.Images that are about images as people see them.
#include <algorithm>
#include <utility>

#include "client/error_details.h"
#include "client/grpc_client.h"
#include "client/messages.h"
#include "storage/api/pruning.h"
#include "storage/base/status.h"

namespace varve {
namespace {

template <typename Request>
void SetReference(const ManifestReference& reference, Request* request) {
  if (const Digest* digest = std::get_if<Digest>(&reference)) {
    request->set_digest(digest->ToString());
  } else {
    request->set_tag(std::get<std::string>(reference));
  }
}

// map<> has no order; people and scripts want the same output each time.
void SortLabels(ImageDetails* details) {
  std::sort(details->labels.begin(), details->labels.end());
}

v1::PruneRequest ToMessage(const PruneRequest& request) {
  v1::PruneRequest message;
  for (const std::string& filter : request.filters) message.add_filters(filter);
  message.set_dry_run(request.dry_run);
  message.set_all(request.all);
  message.set_now(request.now);
  return message;
}

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
  RETURN_IF_ERROR(Unary(
      [&](grpc::ClientContext* context) { return images_->Find(context, request, &response); }));
  return FromMessage(response);
}

absl::StatusOr<ImagePage> GrpcClient::ListImages(const ImageQuery& query,
                                                 const std::string& page_token, size_t limit) {
  v1::ListImagesRequest request;
  request.set_repository(query.repository);
  for (const std::string& filter : query.filters) request.add_filters(filter);
  request.set_all(query.all);
  request.set_page_token(page_token);
  request.set_page_size(static_cast<uint32_t>(limit));
  v1::ListImagesResponse response;
  RETURN_IF_ERROR(Unary(
      [&](grpc::ClientContext* context) { return images_->List(context, request, &response); }));
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
  RETURN_IF_ERROR(Unary([&](grpc::ClientContext* context) {
    return images_->ListReferrers(context, request, &response);
  }));
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
  RETURN_IF_ERROR(Unary(
      [&](grpc::ClientContext* context) { return images_->Inspect(context, request, &response); }));
  absl::StatusOr<ImageDetails> details = FromMessage(response.details());
  if (details.ok()) SortLabels(&*details);
  return details;
}

absl::StatusOr<std::vector<HistoryEntry>> GrpcClient::ImageHistory(
    std::string_view repository, const ManifestReference& reference, std::string_view platform) {
  v1::ImageHistoryRequest request;
  request.set_repository(std::string(repository));
  SetReference(reference, &request);
  request.set_platform(std::string(platform));
  v1::ImageHistoryResponse response;
  RETURN_IF_ERROR(Unary(
      [&](grpc::ClientContext* context) { return images_->History(context, request, &response); }));
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
  return Unary(
      [&](grpc::ClientContext* context) { return images_->Tag(context, request, &response); });
}

absl::StatusOr<RemovedImage> GrpcClient::RemoveImage(std::string_view name, bool force, bool now) {
  v1::RemoveImageRequest request;
  request.set_name(std::string(name));
  request.set_force(force);
  request.set_now(now);
  v1::RemoveImageResponse response;
  RETURN_IF_ERROR(Unary(
      [&](grpc::ClientContext* context) { return images_->Remove(context, request, &response); }));
  RemovedImage removed;
  removed.untagged.assign(response.untagged().begin(), response.untagged().end());
  removed.deleted.assign(response.deleted().begin(), response.deleted().end());
  removed.more_untagged = response.more_untagged();
  removed.more_deleted = response.more_deleted();
  removed.promised_images = response.promised_images();
  removed.promised_bytes = response.promised_bytes();
  if (response.has_promised_until()) {
    removed.promised_until_nanos = Nanos(response.promised_until());
  }
  return removed;
}

absl::StatusOr<PruneReport> GrpcClient::Prune(const PruneRequest& prune,
                                              const PruneObserver& observer) {
  // No deadline: it works as long as there is garbage, and shows that it does.
  grpc::ClientContext context;
  const v1::PruneRequest request = ToMessage(prune);
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
  v1::PruneRequest request = ToMessage(prune);
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
  return Unary([&](grpc::ClientContext* context) {
    return images_->CancelPrune(context, request, &response);
  });
}

absl::StatusOr<std::vector<PruneJob>> GrpcClient::ListPrunes() {
  v1::ListPrunesResponse response;
  RETURN_IF_ERROR(Unary([&](grpc::ClientContext* context) {
    return images_->ListPrunes(context, v1::ListPrunesRequest(), &response);
  }));
  std::vector<PruneJob> jobs;
  for (const v1::PruneJob& message : response.jobs()) jobs.push_back(FromMessage(message));
  return jobs;
}

absl::StatusOr<KeeperReport> GrpcClient::ExplainKept(std::string_view name) {
  v1::ExplainRequest request;
  request.set_name(std::string(name));
  v1::ExplainResponse response;
  RETURN_IF_ERROR(Unary(
      [&](grpc::ClientContext* context) { return images_->Explain(context, request, &response); }));
  return FromMessage(response);
}

}  // namespace varve
