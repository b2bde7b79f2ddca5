// A box whose lid is printed beside it, already on its hinge: one print, nothing to assemble.
// The hinge turns on 45 degree cones instead of a pin, so no layer hangs in the air. In mm.

/* [Inside] */
// Length along the hinge
inside_length = 50; // [40:1:150]
// Depth from the hinge to the front
inside_depth = 34; // [25:1:100]
// Height of each half: the closed box holds twice as much
inside_height = 12; // [12:0.5:40]
// Walls across the lower half
dividers = 1; // [0:1:5]

/* [Fit] */
// Gap between the moving faces of the hinge: 0.35 on a well set printer, 0.4 on most
clearance = 0.4; // [0.25:0.05:0.6]
// Gap between the lid's lip and the box
lip_gap = 0.25; // [0.1:0.05:0.5]
// How far the catch snaps over, 0 for none
catch_depth = 0.4; // [0:0.1:0.8]

/* [Body] */
// Thickness of walls
wall = 1.6; // [1.2:0.2:3]
// Thickness of bottom and lid
floor_thickness = 1.2; // [0.8:0.2:3]
// Rounding of the corners seen from above
corner = 5; // [5:0.5:12]

/* [Look] */
// Angle between box and lid: 180 to print, less to look at it
opening = 180; // [0:1:180]

/* [Hidden] */
$fn = 64;
barrel = 3.6;                          // radius of the hinge
knuckles = 5;                          // the first, third and last belong to the box
rim_gap = 0.3;                         // between the rims when closed, so that rough rims still shut
chamfer = 0.8;                         // around the bottom edge
steep = 1.05;                          // rise of a slope for its width: a little over 45 degrees
lip = [1.2, 3];                        // thickness, height
catch_length = min(16, inside_length / 2);
size = [inside_depth + 2 * wall, inside_length + 2 * wall, inside_height + floor_thickness];
axis = size[2] + rim_gap / 2;          // height of the hinge's axis
reach = barrel + clearance;            // from the axis to the walls on both sides
// Cones at 45 degrees: to keep `clearance` between them they stand back by its double diagonal.
slack = clearance * sqrt(2);
cone = 2.6;                            // its height, and the radius of its foot
hinge_length = size[1] - 2 * corner;
knuckle = (hinge_length - (knuckles - 1) * slack) / knuckles;

assert(knuckle > cone + 2, "too short for its hinge: make it longer or the corners smaller");
assert(size[2] > reach + 1.6 * barrel, "too low for its hinge: make it higher");

module outline(inset = 0) {
    offset(r = corner - inset) offset(delta = -corner) square([size[0], size[1]]);
}

// One half, its back wall in the plane x = 0, lying on the bed with the open side up.
module tray() {
    difference() {
        hull() {
            linear_extrude(0.01) outline(chamfer);
            translate([0, 0, chamfer * steep + 0.01])
                linear_extrude(size[2] - chamfer * steep - 0.01) outline();
        }
        translate([0, 0, floor_thickness]) linear_extrude(size[2]) outline(wall);
    }
}

// A flap to lift the lid with; it grows out of the front wall.
module thumb() {
    out = 4;
    width = min(18, inside_length / 2);
    translate([size[0] - 0.4, size[1] / 2 + width / 2, size[2]]) rotate([90, 0, 0])
        linear_extrude(width) polygon([[0, 0], [out, 0], [out, -1.2], [0, -1.2 - steep * out]]);
}

// Lip around the front half of the lid: it finds the box when closing and carries the catch.
module lid_lip() {
    outside = wall + lip_gap;
    inside = outside + lip[0];
    foot = steep * (inside - wall);        // the height in which it leans out of the wall
    intersection() {
        union() {
            translate([0, 0, size[2] - 1]) linear_extrude(lip[1] + 1) difference() {
                outline(outside);
                outline(inside);
            }
            difference() {
                translate([0, 0, size[2] - 1 - foot]) linear_extrude(foot + 0.5) outline(wall - 0.1);
                hull() {
                    translate([0, 0, size[2] - 1.01 - foot]) linear_extrude(0.01) outline(wall);
                    translate([0, 0, size[2] - 1.01]) linear_extrude(0.01) outline(inside);
                }
                translate([0, 0, size[2] - 1]) linear_extrude(1) outline(inside);
            }
        }
        translate([size[0] / 2, 0, 0]) cube([size[0], size[1], 2 * size[2]]);
    }
}

// A ridge along the front that stands out of the lip's face, equally steep on both sides.
module ridge(out, length) {
    translate([size[0] - wall - lip_gap, size[1] / 2 + length / 2, 0]) rotate([90, 0, 0])
        linear_extrude(length) polygon([
            [-0.4, -steep * (out + 0.4)], [out, 0], [-0.4, steep * (out + 0.4)],
        ]);
}

// Section of a knuckle: the barrel, and a web under it whose edge touches the barrel and runs
// down to the wall.
module knuckle_section() {
    slope = atan(steep);
    touch = barrel * [sin(slope), -cos(slope)];
    foot = touch[1] - steep * (touch[0] + reach);
    translate([0, axis]) {
        circle(barrel);
        polygon([
            [0, 0], touch, [-reach, foot], [-reach - wall / 2, foot],
            [-reach - wall / 2, -rim_gap / 2], [-reach, -rim_gap / 2],
        ]);
    }
}

module knuckle_at(i) {
    translate([0, corner + i * (knuckle + slack), 0]) children();
}

module knuckle_body() {
    translate([0, knuckle, 0]) rotate([90, 0, 0]) linear_extrude(knuckle) knuckle_section();
}

// Cones out of both ends of a knuckle. The neighbours' hollows are the same, `slack` further out.
module cones(further = 0, tip = 0.3) {
    for (end = [0, 1])
        translate([0, end * knuckle + (2 * end - 1) * (further - 0.01), axis])
            rotate([90 - 180 * end, 0, 0]) cylinder(r1 = cone, r2 = tip, h = cone - tip);
}

module box() {
    mirror([1, 0, 0]) translate([reach, 0, 0]) difference() {
        union() {
            tray();
            for (i = [1:1:dividers])
                translate([wall / 2, i * size[1] / (dividers + 1) - wall / 2, floor_thickness / 2])
                    cube([size[0] - wall, wall, size[2] - lip[1] - 1]);
        }
        if (catch_depth > 0)
            translate([0, 0, size[2] + rim_gap - lip[1] / 2])
                ridge(lip_gap + catch_depth + 0.2, catch_length + 2);
    }
    difference() {
        for (i = [0:2:knuckles - 1]) knuckle_at(i) knuckle_body();
        for (i = [1:2:knuckles - 1]) knuckle_at(i) cones(slack, 0);
    }
}

module lid() {
    translate([reach, 0, 0]) {
        tray();
        thumb();
        lid_lip();
        if (catch_depth > 0)
            translate([0, 0, size[2] + lip[1] / 2]) ridge(lip_gap + catch_depth, catch_length);
    }
    for (i = [1:2:knuckles - 1]) knuckle_at(i) {
        mirror([1, 0, 0]) knuckle_body();
        cones();
    }
}

// Turned around the hinge; at 180 degrees both halves lie on the bed.
module lid_opened(angle) {
    translate([0, 0, axis]) rotate([0, angle - 180, 0]) translate([0, 0, -axis]) lid();
}

box();
lid_opened(opening);
