// varve.v1.Repositories, varve.v1.System and the listing of blobs.
#include <algorithm>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "client/error_details.h"
#include "client/grpc_client.h"
#include "client/messages.h"
#include "storage/base/status.h"

namespace varve {
namespace {

int64_t DurationNanos(const google::protobuf::Duration& duration) {
  return duration.seconds() * kNanosPerSecond + duration.nanos();
}

DiskUsage::Part FromMessage(const v1::DiskUsageResponse::Part& message) {
  return {message.count(), message.logical_bytes(), message.disk_bytes()};
}

v1::Event::Type TypeOf(Event::Type type) {
  switch (type) {
    case Event::Type::kPush:
      return v1::Event::PUSH;
    case Event::Type::kPull:
      return v1::Event::PULL;
    case Event::Type::kTag:
      return v1::Event::TAG;
    case Event::Type::kUntag:
      return v1::Event::UNTAG;
    case Event::Type::kDelete:
      return v1::Event::DELETE;
    case Event::Type::kPrune:
      return v1::Event::PRUNE;
  }
  return v1::Event::TYPE_UNSPECIFIED;
}

// nullopt for a type that only a newer daemon knows.
std::optional<Event::Type> FromMessage(v1::Event::Type type) {
  for (const Event::Type known : {Event::Type::kPush, Event::Type::kPull, Event::Type::kTag,
                                  Event::Type::kUntag, Event::Type::kDelete, Event::Type::kPrune}) {
    if (TypeOf(known) == type) return known;
  }
  return std::nullopt;
}

absl::StatusOr<Event> FromMessage(const v1::Event& message, Event::Type type) {
  Event event;
  event.type = type;
  event.repository = message.repository();
  event.tag = message.tag();
  event.freed_bytes = message.freed_bytes();
  if (type != Event::Type::kPrune) {
    ASSIGN_OR_RETURN(event.digest, Digest::Parse(message.digest()));
  }
  event.time_nanos = Nanos(message.time());
  return event;
}

// How one stream of events went.
struct Watch {
  bool heard = false;   // the daemon sent something
  bool enough = false;  // the sink wants no more
};

// Reads one stream to its end. The request's token follows what came.
absl::Status WatchOnce(v1::System::Stub& system, const EventSink& sink, v1::EventsRequest* request,
                       Watch* watch) {
  grpc::ClientContext context;
  const std::unique_ptr<grpc::ClientReader<v1::EventsResponse>> stream =
      system.Events(&context, *request);
  v1::EventsResponse response;
  absl::Status malformed;
  while (malformed.ok() && !watch->enough && stream->Read(&response)) {
    watch->heard = true;
    const std::optional<Event::Type> type = FromMessage(response.event().type());
    if (response.has_event() && type.has_value()) {
      const absl::StatusOr<Event> event = FromMessage(response.event(), *type);
      malformed = event.status();
      watch->enough = event.ok() && !sink(*event, response.token());
    }
    request->set_token(response.token());
  }
  if (watch->enough || !malformed.ok()) context.TryCancel();
  const absl::Status status = FromGrpc(stream->Finish(), context);
  return malformed.ok() ? status : malformed;
}

}  // namespace

absl::StatusOr<BlobPage> GrpcClient::ListBlobs(const std::string& page_token, size_t limit) {
  v1::ListBlobsRequest request;
  request.set_page_token(page_token);
  request.set_page_size(static_cast<uint32_t>(limit));
  v1::ListBlobsResponse response;
  RETURN_IF_ERROR(Unary(
      [&](grpc::ClientContext* context) { return blobs_->List(context, request, &response); }));
  BlobPage page;
  for (const v1::StoredBlob& message : response.blobs()) {
    BlobDetails& blob = page.blobs.emplace_back();
    ASSIGN_OR_RETURN(blob.blob, varve::FromMessage(message.blob()));
    blob.inlined = message.inlined();
    blob.referenced = message.referenced();
    blob.quarantined = message.quarantined();
  }
  page.next_page_token = response.next_page_token();
  return page;
}

absl::StatusOr<RepositoryPage> GrpcClient::ListRepositories(const std::string& page_token,
                                                            size_t limit) {
  v1::ListRepositoriesRequest request;
  request.set_page_token(page_token);
  request.set_page_size(static_cast<uint32_t>(limit));
  v1::ListRepositoriesResponse response;
  RETURN_IF_ERROR(Unary([&](grpc::ClientContext* context) {
    return repositories_->List(context, request, &response);
  }));
  RepositoryPage page;
  for (const v1::Repository& message : response.repositories()) {
    page.repositories.push_back(
        {message.name(), message.tags(), message.manifests(), Nanos(message.created())});
  }
  page.next_page_token = response.next_page_token();
  return page;
}

absl::StatusOr<RepositoryMerge> GrpcClient::MergeRepositories(std::string_view from,
                                                              std::string_view into, bool force) {
  v1::MergeRepositoriesRequest request;
  request.set_from(std::string(from));
  request.set_into(std::string(into));
  request.set_force(force);
  v1::MergeRepositoriesResponse response;
  // No deadline: it takes as long as the repository is large.
  RETURN_IF_ERROR(Unary(
      [&](grpc::ClientContext* context) {
        return repositories_->Merge(context, request, &response);
      },
      Deadline::kNone));
  RepositoryMerge merge;
  merge.from = response.from();
  merge.into = response.into();
  merge.merged = response.merged();
  for (const auto& message : response.collisions()) {
    RepositoryMerge::Collision& collision = merge.collisions.emplace_back();
    collision.tag = message.tag();
    ASSIGN_OR_RETURN(collision.from, Digest::Parse(message.from_digest()));
    ASSIGN_OR_RETURN(collision.into, Digest::Parse(message.into_digest()));
    collision.from_stays = message.from_stays();
  }
  merge.more_collisions = response.more_collisions();
  merge.manifests = response.manifests();
  return merge;
}

absl::StatusOr<DaemonInfo> GrpcClient::Info() {
  v1::InfoResponse response;
  RETURN_IF_ERROR(Unary([&](grpc::ClientContext* context) {
    return system_->Info(context, v1::InfoRequest(), &response);
  }));
  DaemonInfo info;
  info.version = response.version();
  info.started_nanos = Nanos(response.started());
  info.store = {response.store_uuid(),
                Nanos(response.store_created()),
                response.format_version(),
                response.blob_bytes(),
                response.max_bytes(),
                response.disk_total_bytes(),
                response.disk_free_bytes(),
                DurationNanos(response.promise()),
                DurationNanos(response.renew()),
                {}};
  info.store.names.canonical = response.canonical_names();
  info.store.names.own_hosts.assign(response.own_hosts().begin(), response.own_hosts().end());
  return info;
}

absl::StatusOr<RecentActivity> GrpcClient::ListActivity() {
  v1::ListActivityResponse response;
  RETURN_IF_ERROR(Unary([&](grpc::ClientContext* context) {
    return system_->ListActivity(context, v1::ListActivityRequest(), &response);
  }));
  RecentActivity activity;
  for (const v1::ListActivityResponse::Upload& upload : response.uploads()) {
    activity.uploads.push_back(
        {upload.repository(), upload.id(), upload.received_bytes(), Nanos(upload.updated())});
  }
  activity.more_uploads = response.more_uploads();
  activity.repositories.assign(response.repositories().begin(), response.repositories().end());
  activity.more_repositories = response.more_repositories();
  return activity;
}

absl::StatusOr<DiskUsage> GrpcClient::MeasureDiskUsage() {
  // No deadline: it takes as long as the store is large.
  v1::DiskUsageResponse response;
  RETURN_IF_ERROR(Unary(
      [&](grpc::ClientContext* context) {
        return system_->DiskUsage(context, v1::DiskUsageRequest(), &response);
      },
      Deadline::kNone));
  DiskUsage usage;
  usage.repositories = response.repositories();
  usage.tags = response.tags();
  usage.images = response.images();
  usage.tagged = FromMessage(response.tagged());
  usage.dangling = FromMessage(response.dangling());
  usage.in_use = FromMessage(response.in_use());
  usage.unused = FromMessage(response.unused());
  usage.loose = FromMessage(response.loose());
  usage.inlined = FromMessage(response.inlined());
  usage.unreferenced = FromMessage(response.unreferenced());
  usage.uploads = FromMessage(response.uploads());
  usage.orphans = FromMessage(response.orphans());
  usage.index_disk_bytes = response.index_disk_bytes();
  usage.reserve_disk_bytes = response.reserve_disk_bytes();
  return usage;
}

absl::Status GrpcClient::WatchEvents(const WatchOptions& options, const EventSink& sink) {
  v1::EventsRequest request;
  request.set_token(options.token);
  request.set_from_oldest(options.from_oldest);
  request.set_no_follow(!options.follow);
  for (const Event::Type type : options.types) request.add_types(TypeOf(type));
  request.set_repository(options.repository);
  bool heard_before = false;
  int failures = 0;
  for (;;) {
    Watch watch;
    const absl::Status status = WatchOnce(*system_, sink, &request, &watch);
    if (watch.enough) return absl::OkStatus();
    // A daemon that was not there in the first place: waiting only delays the message.
    heard_before = heard_before || watch.heard;
    // Cancelled: by the daemon, because this side took nothing for too long.
    if ((!absl::IsUnavailable(status) && !absl::IsCancelled(status)) || !heard_before) {
      return status;
    }
    failures = watch.heard ? 1 : failures + 1;
    if (failures >= options_.attempts) return status;
    std::this_thread::sleep_for(options_.WaitAfter(failures));
  }
}

}  // namespace varve
