# Names the architecture that an image is for.
sed "s/ARCH/$1/"
