#include "client/archive/save.h"

#include <set>
#include <utility>

#include "client/archive/archive_writer.h"
#include "client/archive/image_json.h"
#include "client/archive/save_plan.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr char kOciLayout[] = R"({"imageLayoutVersion":"1.0.0"})";

class Save {
 public:
  Save(Client& client, SaveObserver& observer, const ByteSink& sink)
      : client_(client), observer_(observer), writer_(sink) {}

  absl::Status Write(const SavePlan& plan, const SavedDocuments& documents) {
    RETURN_IF_ERROR(writer_.AddFile("oci-layout", kOciLayout));
    RETURN_IF_ERROR(writer_.AddFile("index.json", documents.index_json));
    if (!documents.manifest_json.empty()) {
      RETURN_IF_ERROR(writer_.AddFile("manifest.json", documents.manifest_json));
    }
    RETURN_IF_ERROR(AddDirectories(plan));
    for (const SavedKind kind : {SavedKind::kManifest, SavedKind::kConfig, SavedKind::kLayer}) {
      for (const auto& [digest, blob] : plan.blobs()) {
        if (blob.kind != kind) continue;
        const absl::Status status = AddBlob(digest, blob);
        if (!status.ok()) return Annotate(status, digest.ToString());
      }
    }
    return writer_.Complete();
  }

 private:
  absl::Status AddDirectories(const SavePlan& plan) {
    std::set<std::string> directories = {"blobs"};
    for (const auto& [digest, blob] : plan.blobs()) {
      const std::string path = LayoutPath(digest);
      directories.insert(path.substr(0, path.rfind('/')));
    }
    for (const std::string& directory : directories) {
      RETURN_IF_ERROR(writer_.AddDirectory(directory));
    }
    return absl::OkStatus();
  }

  absl::Status AddBlob(const Digest& digest, const SavedBlob& blob) {
    RETURN_IF_ERROR(writer_.BeginFile(LayoutPath(digest), blob.size_bytes));
    uint64_t written = 0;
    const ByteSink sink = [&](std::string_view bytes) {
      if (bytes.size() > blob.size_bytes - written) {
        return absl::DataLossError("the blob has become longer; its copy in the store is damaged");
      }
      RETURN_IF_ERROR(writer_.Append(bytes));
      written += bytes.size();
      if (blob.kind == SavedKind::kLayer && !bytes.empty()) {
        observer_.OnLayer(digest, written, blob.size_bytes);
      }
      return absl::OkStatus();
    };
    if (blob.kind == SavedKind::kManifest) {
      // Asked for again, for all of them together may be large.
      ASSIGN_OR_RETURN(const Manifest manifest, client_.GetManifest(blob.repository, digest));
      return sink(manifest.bytes);
    }
    if (blob.kind == SavedKind::kLayer) observer_.OnLayer(digest, 0, blob.size_bytes);
    GetBlobOptions options;
    options.repository = blob.repository;
    const absl::Status status = client_.GetBlob(digest, sink, options).status();
    if (!absl::IsNotFound(status)) return status;
    return absl::DataLossError("is not in the store any more, or damaged; save again");
  }

  Client& client_;
  SaveObserver& observer_;
  ArchiveWriter writer_;
};

}  // namespace

absl::Status SaveImages(Client& client, const std::vector<std::string>& names,
                        const SaveOptions& options, const ByteSink& sink) {
  SaveObserver silent;
  SaveObserver& observer = options.observer == nullptr ? silent : *options.observer;
  SavePlan plan(client, options);
  for (const std::string& name : names) RETURN_IF_ERROR(plan.Add(name));
  ASSIGN_OR_RETURN(const SavedDocuments documents, plan.Documents());
  uint64_t bytes = 0;
  for (const auto& [digest, blob] : plan.blobs()) bytes += blob.size_bytes;
  observer.OnStart(plan.blobs().size(), bytes);
  for (const std::string& note : documents.notes) observer.OnNote(note);
  return Save(client, observer, sink).Write(plan, documents);
}

}  // namespace varve
