// What is said of an index that an archive holds only in part. A pure function.
#ifndef VARVE_CLIENT_ARCHIVE_GAP_NOTE_H_
#define VARVE_CLIENT_ARCHIVE_GAP_NOTE_H_

#include <string>

#include "client/archive/image_plan.h"

namespace varve {

// One sentence on the image `name`: what is missing of the index of `plan`, and what was loaded in
// its place, when `loaded` is not the index itself.
std::string GapNote(const std::string& name, const ImagePlan& plan, const Digest& loaded);

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_GAP_NOTE_H_
