# Puts the parts that `sockctl help --man` prints where the manual asks for them. Both files mark a part with a line such as
# .\" @MODES@ : in the first it begins the part, in the second the part takes its place.
/^\.\\" @[A-Z]+@$/ {
	if (NR == FNR)
		name = $2
	else if ($2 in part)
		printf "%s", part[$2]
	else
		failed = "no part " $2
	next
}
NR == FNR { part[name] = part[name] $0 "\n"; next }
{ print }
END {
	if (failed) {
		print failed | "cat 1>&2"
		exit 1
	}
}
