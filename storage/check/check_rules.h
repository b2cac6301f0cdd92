// What must hold of each kind of row, and of what it names: the rules of storage/FORMAT.md, one
// function a table. Each adds what it finds wrong to `findings`; DataLoss means that the row itself
// cannot be read. A rule reads the rows that decide guarded, and looks at the row in question last,
// so that inside a transaction its findings are true. On purpose none of it goes by
// storage/keep/what_keeps.h: it is the second opinion about that rule, and a new kind of edge needs
// a rule here, too. Thread-safe: no shared state.
#ifndef VARVE_STORAGE_CHECK_CHECK_RULES_H_
#define VARVE_STORAGE_CHECK_CHECK_RULES_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "storage/api/system.h"
#include "storage/blob/blob_files.h"
#include "storage/image/manifest.h"
#include "storage/index/index.h"
#include "storage/index/keys.h"
#include "storage/index/reads.h"

namespace varve {

using CheckFindings = std::vector<CheckFinding>;

// "library/debian", or its number when it has no name.
absl::StatusOr<std::string> RepositoryText(Reads& reads, RepositoryId repository);

// check_content.cc: bytes.
absl::Status CheckBlob(Reads& reads, BlobFiles& files, const Digest& digest,
                       CheckFindings* findings);
absl::Status CheckInlineBytes(Reads& reads, const Digest& digest, CheckFindings* findings);
absl::Status CheckFileRow(Reads& reads, FileId file, CheckFindings* findings);

// check_edges.cc: edges and the rows that they come from.
struct EdgeToCheck {
  std::string key;
  Digest target;
  EdgeSource source;
  // Of an edge from a manifest: whether that names the target; nullopt: its bytes cannot be read.
  std::optional<bool> named;
  bool check_target = true;  // whether what it keeps is here
};
absl::Status CheckEdge(Reads& reads, const EdgeToCheck& edge, CheckFindings* findings);
absl::Status CheckTag(Reads& reads, RepositoryId repository, const std::string& tag,
                      CheckFindings* findings);
// `content` is null when its bytes cannot be read, which is said of its blob.
absl::Status CheckMember(Reads& reads, RepositoryId repository, const Digest& manifest,
                         const ParsedManifest* content, CheckFindings* findings);
absl::Status CheckReferrer(Reads& reads, RepositoryId repository, const Digest& subject,
                           const Digest& referrer, CheckFindings* findings);

// check_claims.cc: holds, leases, links, names.
absl::Status CheckHold(Reads& reads, const std::string& hold, CheckFindings* findings);
absl::Status CheckLease(Reads& reads, const std::string& lease, CheckFindings* findings);
absl::Status CheckLeaseContent(Reads& reads, const std::string& lease, const Digest& content,
                               CheckFindings* findings);
absl::Status CheckLink(Reads& reads, RepositoryId repository, const Digest& blob,
                       CheckFindings* findings);
// `canonical`: its canonical name; another repository of that name is told as kTwoNames.
absl::Status CheckRepository(Reads& reads, const std::string& name, std::string_view canonical,
                             CheckFindings* findings);
absl::Status CheckRepositoryName(Reads& reads, RepositoryId repository, CheckFindings* findings);
absl::Status CheckPulled(Reads& reads, RepositoryId repository, const Digest& manifest,
                         CheckFindings* findings);

}  // namespace varve

#endif  // VARVE_STORAGE_CHECK_CHECK_RULES_H_
