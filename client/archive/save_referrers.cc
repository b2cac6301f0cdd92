// What goes with saved images because it refers to them.
#include <utility>

#include "client/archive/save_plan.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {

absl::Status SavePlan::AddReferrers(const std::string& repository, std::vector<Digest> subjects) {
  for (size_t i = 0; i < subjects.size(); ++i) {
    const Digest subject = subjects[i];
    if (!subjects_.emplace(repository, subject).second) continue;
    std::string page_token;
    do {
      ASSIGN_OR_RETURN(const ReferrerPage page,
                       client_.ListReferrers(repository, subject, "", page_token, kMaxPageRows));
      for (const Referrer& referrer : page.referrers) {
        const absl::Status status = AddReferrer(repository, referrer, &subjects);
        if (status.ok() || absl::IsNotFound(status)) continue;  // or deleted meanwhile
        return Annotate(status, StrCat("its referrer ", referrer.info.manifest.digest.ToString(),
                                       " (--no-referrers leaves it out)"));
      }
      page_token = page.next_page_token;
    } while (!page_token.empty());
  }
  return absl::OkStatus();
}

absl::Status SavePlan::AddReferrer(const std::string& repository, const Referrer& referrer,
                                   std::vector<Digest>* subjects) {
  const Digest& digest = referrer.info.manifest.digest;
  ASSIGN_OR_RETURN(const std::vector<Node> tree, ReadTree(repository, digest));
  RETURN_IF_ERROR(AddWholeTree(repository, tree));
  CountContents(digest, tree);
  const std::string& tag = referrer.tag;
  referrers_[{tag.empty() ? "" : repository, tag, digest}] =
      EntryOf(tree.front().self, repository, tag);
  for (const Node& node : tree) subjects->push_back(node.self.digest);
  if (subjects->size() <= kMaxTreeManifests) return absl::OkStatus();
  return absl::FailedPreconditionError("the image has too many referrers to be saved with them");
}

}  // namespace varve
