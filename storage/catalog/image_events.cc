#include "storage/catalog/image_events.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "absl/status/statusor.h"
#include "storage/index/table_visits.h"

namespace varve {
namespace {

constexpr size_t kIndexesOfAManifest = 16;

}  // namespace

void ImageEvents::Tell(Event::Type type, std::string_view repository, std::string_view tag,
                       const Digest& manifest) {
  Event event;
  event.type = type;
  event.repository = repository;
  event.tag = tag;
  event.digest = manifest;
  parts_.log.Add(std::move(event));
}

void ImageEvents::TellDeleted(RepositoryId repository, std::string_view told_name,
                              const Digest& manifest, const std::vector<std::string>& untagged) {
  const absl::StatusOr<std::string> name =
      told_name.empty() ? parts_.repositories.NameOf(repository)
                        : absl::StatusOr<std::string>(std::string(told_name));
  if (!name.ok()) return;  // the deletion stands all the same
  for (const std::string& tag : untagged) Tell(Event::Type::kUntag, *name, tag, manifest);
  // The tags whose rows EdgeRemovals removes: without their manifest they are gone already.
  VisitEdges(parts_.index, EdgePrefix(manifest, EdgeKind::kTag, repository),
             [&](const EdgeSource& source) -> absl::StatusOr<bool> {
               Tell(Event::Type::kUntag, *name, source.name, manifest);
               return true;
             })
      .IgnoreError();
  Tell(Event::Type::kDelete, *name, "", manifest);
}

void ImageEvents::TellPull(const NamedRepository& repository, const ManifestReference& reference,
                           const Digest& manifest) {
  const auto* const named = std::get_if<std::string>(&reference);
  const std::string_view tag = named != nullptr ? std::string_view(*named) : std::string_view();
  if (!recent_pulls_.Begins(repository.id, manifest, tag)) return;
  if (tag.empty() && IsPartOfPull(repository.id, manifest)) return;
  Tell(Event::Type::kPull, repository.name, tag, manifest);
}

bool ImageEvents::IsPartOfPull(RepositoryId repository, const Digest& manifest) {
  const std::string prefix = EdgePrefix(manifest, EdgeKind::kReference, repository);
  // One that more indexes list is told once more than it need be.
  const absl::StatusOr<std::vector<KeyValue>> edges =
      parts_.index.Scan(PrefixRange(prefix), kIndexesOfAManifest);
  if (!edges.ok()) return false;
  return std::any_of(edges->begin(), edges->end(), [&](const KeyValue& edge) {
    std::string_view source = std::string_view(edge.key).substr(prefix.size());
    Digest index;
    return Digest::ConsumeKey(&source, &index) && recent_pulls_.Contains(repository, index);
  });
}

}  // namespace varve
